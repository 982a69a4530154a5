"""Several processes at one port, and the one that starts them: it answers no question, and sees to it that they do."""
