package dev.usherd.servlet;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** The bytes of an answer, as long as it is allowed. */
final class CutStream extends ServletOutputStream {

  private final HttpServletResponse response;
  private final ServletOutputStream out;
  private final Cut cut;
  private byte last = '\n';
  private byte beforeLast = '\n';
  private volatile boolean ended;
  private boolean closed;

  CutStream(HttpServletResponse response, Cut cut) throws IOException {
    this.response = response;
    this.out = response.getOutputStream();
    this.cut = cut;
  }

  boolean isEnded() {
    return ended;
  }

  /** Ends a stream of events that has begun; any other answer is left as it is, for nothing more goes out. */
  void end() {
    if (ended || closed || !response.isCommitted() || !Cut.isEvents(response.getContentType())) {
      return;
    }
    ended = true;
    try {
      // What was begun is ended first, so that this is an event of its own.
      String begun = last != '\n' ? "\n\n" : beforeLast != '\n' ? "\n" : "";
      out.write((begun + cut.event()).getBytes(StandardCharsets.UTF_8));
      out.flush();
      out.close();
    } catch (IOException | IllegalStateException gone) {
      // The client has gone, or does not read: the container breaks it off.
    }
  }

  @Override
  public void write(byte[] bytes, int begin, int length) throws IOException {
    writing(
        () -> {
          out.write(bytes, begin, length);
          if (length > 0) {
            beforeLast = length > 1 ? bytes[begin + length - 2] : last;
            last = bytes[begin + length - 1];
          }
        });
  }

  @Override
  public void write(int single) throws IOException {
    write(new byte[] {(byte) single}, 0, 1);
  }

  @Override
  public void flush() throws IOException {
    writing(out::flush);
  }

  @Override
  public void close() throws IOException {
    writing(
        () -> {
          closed = true;
          out.close();
        });
  }

  @Override
  public boolean isReady() {
    return cut.isMade() || out.isReady();
  }

  @Override
  public void setWriteListener(WriteListener listener) {
    out.setWriteListener(listener);
  }

  private interface Writing {
    void run() throws IOException;
  }

  private void writing(Writing what) throws IOException {
    if (!closed) {
      cut.goesOn(response.getContentType());
    }
    cut.writing.lock();
    try {
      if (cut.isMade() && !closed) {
        end();
        throw new AnswerCutException();
      }
      what.run();
      if (cut.isMade() && !closed) {
        // It was made meanwhile, by somebody who did not wait for this.
        end();
        throw new AnswerCutException();
      }
    } finally {
      cut.writing.unlock();
      // Whoever made it after the last look did not wait either.
      cut.endIfMade();
    }
  }
}
