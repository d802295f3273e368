-- Whoever restores tables may write into foreshard's own, and the monitor acts by them with all rights: so each role writes of its own
-- tables and jobs only.

CREATE FUNCTION foreshard._guard() RETURNS pg_catalog.trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry record;
    owner name;
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    FOREACH entry IN ARRAY CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW] WHEN 'DELETE' THEN ARRAY[OLD] ELSE ARRAY[OLD, NEW] END LOOP
        IF TG_TABLE_NAME = '_jobs' THEN
            owner := entry.started_by;
        ELSIF TG_TABLE_NAME = '_replicas' THEN
            owner := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = entry.shard);
        ELSE
            owner := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = entry.relation);
        END IF;
        -- What is gone is nobody's.
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = owner) AND NOT pg_has_role(owner, 'MEMBER') THEN
            RAISE insufficient_privilege USING MESSAGE = format('permission denied for foreshard.%s', TG_TABLE_NAME),
                DETAIL = format('The entry is of role "%s".', owner),
                HINT = 'Roles write of their own tables and jobs only.';
        END IF;
    END LOOP;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
COMMENT ON FUNCTION foreshard._guard() IS 'keeps roles from writing of the tables and jobs of others';

CREATE TRIGGER _guard BEFORE INSERT OR UPDATE OR DELETE ON foreshard._jobs FOR EACH ROW EXECUTE FUNCTION foreshard._guard();
CREATE TRIGGER _guard BEFORE INSERT OR UPDATE OR DELETE ON foreshard._tables FOR EACH ROW EXECUTE FUNCTION foreshard._guard();
CREATE TRIGGER _guard BEFORE INSERT OR UPDATE OR DELETE ON foreshard._shards FOR EACH ROW EXECUTE FUNCTION foreshard._guard();
CREATE TRIGGER _guard BEFORE INSERT OR UPDATE OR DELETE ON foreshard._replicas FOR EACH ROW EXECUTE FUNCTION foreshard._guard();
CREATE TRIGGER _guard BEFORE INSERT OR UPDATE OR DELETE ON foreshard._reshards FOR EACH ROW EXECUTE FUNCTION foreshard._guard();
CREATE TRIGGER _guard BEFORE INSERT OR UPDATE OR DELETE ON foreshard._policies FOR EACH ROW EXECUTE FUNCTION foreshard._guard();
CREATE TRIGGER _guard BEFORE INSERT OR UPDATE OR DELETE ON foreshard._unfinished FOR EACH ROW EXECUTE FUNCTION foreshard._guard();
