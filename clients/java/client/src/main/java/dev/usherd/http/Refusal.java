package dev.usherd.http;

/** Why a request is refused without asking anybody. */
public enum Refusal {
  /** It carries two different credentials. */
  CREDENTIALS_AMBIGUOUS(400, "The request carries two different credentials.", "Bearer error=\"invalid_request\""),
  /** A session cookie came from an origin that is not allowed. */
  ORIGIN_NOT_ALLOWED(403, "A session cookie acts only on requests from an allowed origin.", ""),
  /** Its body is larger than is read. */
  BODY_TOO_LARGE(413, "The request body is too large.", "");

  final int status;
  final String message;
  final String wwwAuthenticate;

  Refusal(int status, String message, String wwwAuthenticate) {
    this.status = status;
    this.message = message;
    this.wwwAuthenticate = wwwAuthenticate;
  }
}
