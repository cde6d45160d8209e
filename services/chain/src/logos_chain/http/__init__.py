"""The HTTP interface of Logos' nodes, as they publish it (HTP-1)."""
