package dev.usherd;

import java.util.List;
import java.util.Objects;

/**
 * Many questions at once.
 *
 * @param token the token of each question whose own is empty; empty: none
 * @param questions 1 to 1,000 questions
 */
public record Batch(String token, List<Question> questions) {

  private static final int MOST = 1000;

  /**
   * Checks how many there are.
   *
   * @param token the token of each question whose own is empty; empty: none
   * @param questions 1 to 1,000 questions
   * @throws IllegalArgumentException unless there are 1 to 1,000 questions
   */
  public Batch {
    Objects.requireNonNull(token, "token");
    if (questions.isEmpty() || questions.size() > MOST) {
      throw new IllegalArgumentException("questions: expected 1 to 1,000");
    }
    questions = List.copyOf(questions);
  }

  /**
   * Questions that have tokens of their own.
   *
   * @param questions 1 to 1,000 questions
   * @return the batch
   * @throws IllegalArgumentException for fewer or more
   */
  public static Batch of(List<Question> questions) {
    return new Batch("", questions);
  }

  /**
   * A constant: whatever is asked is nobody's to read in a log.
   *
   * @return the same for every batch
   */
  @Override
  public String toString() {
    return "Batch";
  }
}
