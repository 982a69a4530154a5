package dev.usherd.http;

import java.util.Locale;
import java.util.Set;

/** Which name a name is to readers that are less strict: some make nothing of its case, or of brackets behind it. */
final class Names {

  /** Characters of a name that are looked at: more than any that counts has. */
  private static final int ENOUGH = 40;

  private Names() {}

  /**
   * The one of these lower-case names that some reader takes this one for; the name itself where there is none. Go and .NET
   * read `Model` as `model`; Express and PHP read `model[]` and `[model]` in forms as `model`.
   */
  static String meant(String name, Set<String> names) {
    if (names.contains(name)) {
      return name;
    }
    String bare = name.substring(0, Math.min(name.length(), ENOUGH));
    if (bare.indexOf('[') >= 0 || bare.indexOf(']') >= 0) {
      bare = bare.replaceFirst("^\\[+", "").split("[\\[\\]]", 2)[0];
    }
    // Upper case first: it makes ASCII's "S" of the long "s", and lower case "k" of the sign of Kelvin.
    bare = bare.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT);
    return names.contains(bare) ? bare : name;
  }
}
