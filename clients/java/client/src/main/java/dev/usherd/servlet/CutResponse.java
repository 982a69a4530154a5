package dev.usherd.servlet;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;

/** An answer that lets nothing pass any more once it is cut. */
final class CutResponse extends HttpServletResponseWrapper {

  private final Cut cut;
  private CutStream stream;
  private PrintWriter writer;

  CutResponse(HttpServletResponse response, Cut cut) {
    super(response);
    this.cut = cut;
  }

  private HttpServletResponse answered() {
    return (HttpServletResponse) getResponse();
  }

  @Override
  public ServletOutputStream getOutputStream() throws IOException {
    if (writer != null) {
      throw new IllegalStateException("getWriter was called");
    }
    return stream();
  }

  @Override
  public PrintWriter getWriter() throws IOException {
    if (writer == null) {
      if (stream != null) {
        throw new IllegalStateException("getOutputStream was called");
      }
      // As the container's own writer does: the answer says which it is.
      setCharacterEncoding(getCharacterEncoding());
      writer = new PrintWriter(new OutputStreamWriter(stream(), getCharacterEncoding()), false);
    }
    return writer;
  }

  @Override
  public void flushBuffer() throws IOException {
    if (writer != null) {
      writer.flush();
    }
    stream().flush();
  }

  @Override
  public void resetBuffer() {
    stop();
    super.resetBuffer();
  }

  @Override
  public void reset() {
    stop();
    super.reset();
    stream = null;
    writer = null;
  }

  private void stop() {
    if (cut.isMade()) {
      throw new IllegalStateException("the answer was cut");
    }
  }

  private CutStream stream() throws IOException {
    if (stream == null) {
      stream = new CutStream(answered(), cut);
      cut.writesTo(stream);
    }
    return stream;
  }

  /** The application is done. What was cut gets its end here, unless it has it; what cannot have one is broken off. */
  void finish() throws IOException {
    if (writer != null && !cut.isMade()) {
      writer.flush();
    }
    if (!cut.isMade()) {
      return;
    }
    cut.writing.lock();
    try {
      if (stream != null && stream.isEnded()) {
        return;
      }
      if (!answered().isCommitted()) {
        answered().reset();
        UsherFilter.answer(answered(), cut.answer());
        return;
      }
      if (Cut.isEvents(answered().getContentType())) {
        stream().end();
        return;
      }
    } finally {
      cut.writing.unlock();
    }
    // The container breaks the connection off, so that the answer is not taken for whole.
    throw new AnswerCutException();
  }
}
