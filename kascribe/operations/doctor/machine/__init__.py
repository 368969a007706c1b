"""Whether this machine can run the roles: model, device, disk, limits."""
