"""Program of `./logos` if the bootstrap runs it in a new process."""

from logos_cli.entry import logos

if __name__ == "__main__":
    logos()
