-- The Ed25519 signature of a head, where trace.sign_key is configured.
ALTER TABLE head ADD COLUMN signature BLOB CHECK (length(signature) = 64);
