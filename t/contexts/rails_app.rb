# Models of Active Record in the page's transaction, in four threads.
require "active_record"
require_relative "audit_context"

ActiveRecord::Base.establish_connection(adapter: "postgresql", database: ENV["PGDATABASE"], pool: 5)

class Item < ActiveRecord::Base
  self.table_name = "item"
end

threads = 4.times.map do |thread|
  Thread.new do
    10.times do |i|
      note = "rails #{thread} #{i}"
      AuditContext.with(by: note) do
        item = Item.create!(note: note)
        Item.transaction(requires_new: true) do
          Item.create!(note: "rolled back")
          raise ActiveRecord::Rollback
        end
        Item.insert_all([{ note: note }, { note: note }])
      end
      AuditContext.with(by: "é'\"\\ #{note}") { Item.find_by!(note: note).update!(note: "é'\"\\ #{note}") }
      AuditContext.with(by: "delete#{note}") { Item.where(note: note).destroy_all }
      Item.create!(note: "none")
    end
    ActiveRecord::Base.connection_handler.clear_active_connections!
  end
end
threads.each(&:join)
