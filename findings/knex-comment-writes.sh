#!/bin/bash
# Knex's comment(), "prepends a comment to the SQL query", is for SELECT only: INSERT, UPDATE and DELETE are built without it,
# and without a word. Who tags his statements with it tags his reads, and no change.
#
# Seen with knex 3.3.0 on 2026-11-29:
#   /* userId='7' */ select * from "item"
#   insert into "item" ("note") values (?)
#   update "item" set "note" = ?
#   delete from "item"
source "${BASH_SOURCE[0]%/*}/lib/clients.sh"
install_packages knex@3.3.0 pg@8.23.1

cat >build.js <<'JS'
const knex = require('knex')({ client: 'pg' });
const tags = "userId='7'";
const built = [
  knex('item').comment(tags),
  knex('item').insert({ note: 'a' }).comment(tags),
  knex('item').update({ note: 'a' }).comment(tags),
  knex('item').delete().comment(tags),
];
for (const query of built) console.log(query.toSQL().sql);
JS
same 'built' "$(node build.js)" "/* userId='7' */ select * from \"item\"
insert into \"item\" (\"note\") values (?)
update \"item\" set \"note\" = ?
delete from \"item\""
