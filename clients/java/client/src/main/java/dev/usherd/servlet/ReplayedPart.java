package dev.usherd.servlet;

import dev.usherd.http.FormPart;
import jakarta.servlet.http.Part;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A part of a form that was read, as the servlet API has it. It is in memory, and nothing of it is on a disk. */
final class ReplayedPart implements Part {

  private final FormPart part;

  ReplayedPart(FormPart part) {
    this.part = part;
  }

  @Override
  public InputStream getInputStream() {
    return part.content();
  }

  @Override
  public String getContentType() {
    return getHeader("content-type");
  }

  @Override
  public String getName() {
    return part.name();
  }

  @Override
  public String getSubmittedFileName() {
    return part.fileName();
  }

  @Override
  public long getSize() {
    return part.size();
  }

  @Override
  public void write(String fileName) throws IOException {
    Path file = Path.of(fileName);
    if (!file.isAbsolute()) {
      throw new IOException("expected an absolute path: a part has no folder of its own");
    }
    Files.copy(getInputStream(), file);
  }

  @Override
  public void delete() {
    // There is no file.
  }

  @Override
  public String getHeader(String name) {
    return getHeaders(name).stream().findFirst().orElse(null);
  }

  @Override
  public Collection<String> getHeaders(String name) {
    String wanted = name.toLowerCase(Locale.ROOT);
    return part.headers().stream().filter(each -> each.getKey().equals(wanted)).map(Map.Entry::getValue).toList();
  }

  @Override
  public Collection<String> getHeaderNames() {
    return List.copyOf(part.headers().stream().map(Map.Entry::getKey).distinct().toList());
  }
}
