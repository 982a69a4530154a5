package dev.usherd;

/**
 * How one check went, for an operator.
 *
 * @param check the name of the check, such as "routes"
 * @param outcome PASSED, DENIED, NOT_APPLICABLE, FAULT, or UNKNOWN
 * @param reason the reason of a denial; empty: none
 * @param note one English sentence, which names things of the policy
 */
public record CheckNote(String check, String outcome, String reason, String note) {}
