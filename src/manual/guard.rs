//! Whose voice is in the agent's microphone.
