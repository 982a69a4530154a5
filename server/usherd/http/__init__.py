"""The edge in for operators: a few pages over HTTP that machines look at. No question is answered here."""
