"""What a stranger's model hides: rules over a model that was read, each with its evidence.

A rule is one file in `graphcount.auditing.rules` and one line in its table. The engine runs the
chosen rules over one `Context`, keeps a failing rule from ending the others, and says what was not
looked at. A clean audit means that no known sign was found, not that a model is safe.
"""
