"""Messages that this node keeps, and queries for them. Spec: docs/protocol/delivery-store.md."""
