"""Is it genuine? From a token's text to verified claims; the one door to jwcrypto."""
