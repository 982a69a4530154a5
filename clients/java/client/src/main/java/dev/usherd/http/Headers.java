package dev.usherd.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The headers of a request, as they came. */
@FunctionalInterface
public interface Headers {

  /**
   * The values of one header.
   *
   * @param name the header's name in lower case
   * @return one text for each time that it is there; empty: it is not
   */
  List<String> values(String name);

  /**
   * Headers that stand in a list.
   *
   * @param pairs names in any case, and values
   * @return the headers
   */
  static Headers of(List<Map.Entry<String, String>> pairs) {
    return name -> {
      List<String> values = new ArrayList<>();
      for (Map.Entry<String, String> each : pairs) {
        if (each.getKey().toLowerCase(Locale.ROOT).equals(name)) {
          values.add(each.getValue());
        }
      }
      return values;
    };
  }
}
