-- Statements of the table of access keys.

-- name: access_key_insert
INSERT INTO access_key (id, secret, account, description, created, revoked)
VALUES (:id, :secret, :account, :description, :created, :revoked);

-- name: access_key_list
SELECT id, secret, account, description, created, revoked FROM access_key ORDER BY created, id;

-- name: access_key_revoke
UPDATE access_key SET revoked = :revoked WHERE id = :id AND revoked IS NULL;
