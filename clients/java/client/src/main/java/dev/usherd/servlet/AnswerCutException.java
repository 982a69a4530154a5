package dev.usherd.servlet;

import java.io.IOException;

/** The answer was cut: the request is allowed no longer. To the application it is as if the client had gone. */
public final class AnswerCutException extends IOException {

  private static final long serialVersionUID = 1L;

  AnswerCutException() {
    super("the answer was cut: the request is allowed no longer");
  }
}
