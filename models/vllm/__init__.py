"""The language model server: profiles, planning, requests, and answers that were checked."""
