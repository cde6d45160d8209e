"""Store nodes that make their archives equal. Spec: docs/protocol/delivery-store.md, DST-30 on."""
