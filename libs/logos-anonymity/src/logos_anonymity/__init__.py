"""Evaluates a mix as an observer of all its links would: who sent what to whom?

`captures` is what the observer sees: when packets cross links, and their sizes. `posterior` applies
Bayes' rule to it, `trials` scores what that finds against the truth, `attacks` and `flows` do with
it what published attacks do, `activity` asks whether a node sends anything at all, `octets` looks
at bytes. `model` makes captures by the law of a mix, without packets. `records` reads what crosses
a network off its frames. See docs/anonymity.md.
"""
