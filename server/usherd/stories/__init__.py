"""Stories: promises about a policy, written as data and kept by the real parts of the house."""
