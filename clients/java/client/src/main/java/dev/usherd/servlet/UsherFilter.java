package dev.usherd.servlet;

import dev.usherd.AskOptions;
import dev.usherd.Decision;
import dev.usherd.Question;
import dev.usherd.UsherFault;
import dev.usherd.Usherd;
import dev.usherd.http.Headers;
import dev.usherd.http.HttpAnswer;
import dev.usherd.http.ReadRequest;
import dev.usherd.http.RefusedException;
import dev.usherd.http.RequestReader;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.ServletResponseWrapper;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Asks usherd about every request, for Jetty, Tomcat, Spring and any other servlet container.
 *
 * <p>What may not pass is answered here, with errors as OpenAI's clients expect them; where there is no decision that is
 * a 503. What may pass finds its decision by {@link #decisionOf}. An answer that is streamed is watched, and cut once it
 * is allowed no longer: it is watched from the beginning if the request asks for a stream, else from when it turns out to
 * be one.
 *
 * <p>Map it to the dispatcher types REQUEST and ASYNC, with async supported. A cut stream of events ends with an {@code
 * error} event. Any other answer is broken off: at once where it is asynchronous, else when it is next written to, which
 * throws {@link AnswerCutException}, which the application lets pass. What is asynchronous does not complete such an answer
 * itself. A websocket is asked about at its handshake; after that the application watches {@link #questionOf} itself.
 *
 * <p>Until it is next written to, such an answer stays open and says nothing: servlets have no means to break one off from
 * another thread, and closing its stream there would have it taken for whole. So an application that waits for the next part
 * of an answer bounds that wait, or is asynchronous. A write that waits for a client that does not read ends, cut or not,
 * when the container gives it up (Jetty: the idle timeout of the connector, 30 s), and throws what the container throws then.
 */
public final class UsherFilter implements Filter {

  private static final String DECISION = "dev.usherd.decision";
  private static final String QUESTION = "dev.usherd.question";
  private static final String CUT = "dev.usherd.cut";

  private final Usherd usherd;
  private final RequestReader reader;
  private final AskOptions options;

  /**
   * A filter that asks with a deadline of 1 s.
   *
   * @param usherd whom to ask; the filter does not close it
   * @param reader how to read requests
   */
  public UsherFilter(Usherd usherd, RequestReader reader) {
    this(usherd, reader, AskOptions.defaults());
  }

  /**
   * A filter.
   *
   * @param usherd whom to ask; the filter does not close it
   * @param reader how to read requests
   * @param options with which each question is asked
   */
  public UsherFilter(Usherd usherd, RequestReader reader, AskOptions options) {
    this.usherd = Objects.requireNonNull(usherd, "usherd");
    this.reader = Objects.requireNonNull(reader, "reader");
    this.options = Objects.requireNonNull(options, "options");
  }

  /**
   * The decision on which a request passed.
   *
   * @param request the request, behind the filter
   * @return the decision; empty: the request did not come through the filter
   */
  public static Optional<Decision> decisionOf(ServletRequest request) {
    return request.getAttribute(DECISION) instanceof Decision decision ? Optional.of(decision) : Optional.empty();
  }

  /**
   * The question on which a request passed, to be watched by what outlives it: a websocket.
   *
   * @param request the request, behind the filter
   * @return the question; empty: the request did not come through the filter
   */
  public static Optional<Question> questionOf(ServletRequest request) {
    return request.getAttribute(QUESTION) instanceof Question question ? Optional.of(question) : Optional.empty();
  }

  @Override
  public void doFilter(ServletRequest anyRequest, ServletResponse anyResponse, FilterChain chain)
      throws IOException, ServletException {
    if (!(anyRequest instanceof HttpServletRequest request) || !(anyResponse instanceof HttpServletResponse response)) {
      throw new ServletException("expected HTTP");
    }
    if (request.getDispatcherType() == DispatcherType.ASYNC && request.getAttribute(CUT) instanceof Cut cut) {
      // It was asked about when it came.
      passed(cut, request, response, chain);
      return;
    }
    ReadRequest read;
    Question question;
    HttpServletRequest replayed = request;
    try {
      Headers headers = name -> Collections.list(request.getHeaders(name));
      byte[] body = {};
      // The credential first: who carries two of them has nothing read.
      var credential = reader.credential(request.getMethod(), headers);
      if (reader.readsBody(headers)) {
        body = ReplayedRequest.read(request, reader.maxBody());
        replayed = new ReplayedRequest(request, body);
      }
      read = reader.read(request.getMethod(), target(request), headers, body);
      question = read.question(credential);
    } catch (RefusedException refused) {
      answer(response, HttpAnswer.refused(refused.refusal()));
      return;
    }
    Decision decision;
    try {
      decision = usherd.authorize(question, options);
    } catch (UsherFault fault) {
      answer(response, HttpAnswer.fault(fault));
      return;
    }
    if (!decision.allowed()) {
      answer(response, HttpAnswer.denied(decision));
      return;
    }
    Cut cut = new Cut(usherd, question, options);
    replayed.setAttribute(DECISION, decision);
    replayed.setAttribute(QUESTION, question);
    replayed.setAttribute(CUT, cut);
    if (read.stream()) {
      cut.watch();
    }
    passed(cut, replayed, response, chain);
  }

  private static String target(HttpServletRequest request) {
    return request.getQueryString() == null
        ? request.getRequestURI()
        : request.getRequestURI() + "?" + request.getQueryString();
  }

  private static void passed(Cut cut, HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    CutResponse cuttable = new CutResponse(cut.isMade() ? bare(response) : response, cut);
    boolean lasts = false;
    try {
      if (cut.isMade()) {
        // It was cut after the application had returned, and has come back for its end.
        cuttable.finish();
        return;
      }
      try {
        chain.doFilter(request, cuttable);
      } catch (IOException | RuntimeException | ServletException failed) {
        if (!cut.isMade()) {
          throw failed;
        }
        // To the application it is as if the client had gone.
      }
      lasts = request.isAsyncStarted();
      if (lasts) {
        cut.endWith(request.getAsyncContext());
      } else {
        cuttable.finish();
      }
    } finally {
      if (!lasts) {
        cut.close();
      }
    }
  }

  /** The container's answer, under that which an application made asynchronous. */
  private static HttpServletResponse bare(HttpServletResponse response) {
    HttpServletResponse bare = response;
    ServletResponse each = response;
    while (each instanceof ServletResponseWrapper wrapper) {
      each = wrapper.getResponse();
      if (wrapper instanceof CutResponse && each instanceof HttpServletResponse inner) {
        bare = inner;
      }
    }
    return bare;
  }

  static void answer(HttpServletResponse response, HttpAnswer answer) throws IOException {
    byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
    response.setStatus(answer.status());
    for (Map.Entry<String, String> each : answer.headers()) {
      response.setHeader(each.getKey(), each.getValue());
    }
    response.setContentLength(body.length);
    response.getOutputStream().write(body);
    response.flushBuffer();
  }
}
