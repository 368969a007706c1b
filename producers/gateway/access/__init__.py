"""Access: callers with their tenants, rights and limits; hosts and origins."""
