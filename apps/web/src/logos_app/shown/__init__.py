"""How things are shown: formats, words, sentences of errors, charts. Pure."""
