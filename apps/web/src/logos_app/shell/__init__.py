"""What every page has: frame, navigation, style, session."""
