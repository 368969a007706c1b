"""The sandbox of the decoding children: what hostile media could do in one is refused by the kernel."""
