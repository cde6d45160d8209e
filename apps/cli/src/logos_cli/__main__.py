"""What `./logos` runs once the environment stands."""

from logos_cli.logos import main

if __name__ == "__main__":
    main()
