# Drops the CLI's warning about provider development overrides, which is about how
# the demo runs the provider and not about the policy. With -v figures=1 it keeps
# of a plan's resources only their names and their figures.
function show(line) {
  if (line ~ /[^ ]/ || !blank) print line
  blank = line !~ /[^ ]/
}
/^Warning: Provider development overrides are in effect/ { skip = 1 }
skip { if (/releases\.$/) skip = 0; next }
!figures { show($0); next }
/^  # .* will be / { name = $0; next }
/^      \+ evaluation +=/ { if (name) show(name); name = ""; inside = 1 }
inside { show($0); if (/^        }$/) inside = 0; next }
/^  [+~-] resource / { resource = 1 }
resource { if (/^    }$/) resource = 0; next }
{ show($0) }
