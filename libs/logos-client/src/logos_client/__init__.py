"""What every client of a node needs: channels, and the token that they bear."""
