# Drops the CLI's boxed warning about provider development overrides, and the
# sentences around it.
/^╷$/ { box = $0; held = 1; next }
held && /Warning: Provider development overrides are in effect/ { skip = 1 }
held { box = box "\n" $0; if (/^╵$/) { if (!skip) print box; held = 0; skip = 0 } ; next }
{ print }
