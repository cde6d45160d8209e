"""What `./logos` runs once the environment stands."""

from logos_cli.entry import logos

if __name__ == "__main__":
    logos()
