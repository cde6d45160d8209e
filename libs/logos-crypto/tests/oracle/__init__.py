"""What tests ask instead of the native core: plain Python, slow, independent."""
