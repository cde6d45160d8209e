"""What kernels do with the containers of their node."""
