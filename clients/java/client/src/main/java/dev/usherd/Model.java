package dev.usherd;

/**
 * A model that may be called.
 *
 * @param name the name to ask for
 * @param resolvedModel what a call would be resolved to; the name itself where it is no alias
 */
public record Model(String name, String resolvedModel) {}
