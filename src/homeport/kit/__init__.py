"""Small tools with no opinion about AI: settings, logs, discovery, transport, encryption."""
