"""Who may use the app, from where, and with what: pure rules, and the gate that applies them."""
