"""The bill of materials: what an installation contains, in CycloneDX, and the licences of all of it."""
