"""Steps from one set of tables to the next. Each is a file of `versions/`, and stays as it is once it was released."""
