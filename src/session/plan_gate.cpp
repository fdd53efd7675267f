// A ModifyTable node pulls rows out of its subplan by a function pointer in that one's state, which
// is replaced here by one that looks at the result. (ExecProcNodeReal, below what instruments and
// what checks the stack.)

#include "context_gate.hpp"
#include "plan_gate.hpp"

namespace bemi {

namespace {

// Lives in the query's memory, and is unlinked when that goes.
struct Gate {
    PlanState* node;
    ExecProcNodeMtd fetch;
    Gate* next;
    Gate** link;
    MemoryContextCallback callback;
};
Gate* gates = nullptr;  // the one that was passed last first

void Unlink(void* argument) {
    Gate* const gate = static_cast<Gate*>(argument);
    *gate->link = gate->next;
    if (gate->next != nullptr)
        gate->next->link = gate->link;
}

void Link(Gate* gate) {
    gate->next = gates;
    gate->link = &gates;
    if (gates != nullptr)
        gates->link = &gate->next;
    gates = gate;
}

// The one that is passed now is looked for next: a statement may have as many as WITH has queries.
void MoveToFront(Gate* gate) {
    if (gate == gates)
        return;
    Unlink(gate);
    Link(gate);
}

TupleTableSlot* PassGate(PlanState* node) {
    Gate* gate = gates;
    while (gate != nullptr && gate->node != node)
        gate = gate->next;
    if (gate == nullptr)
        elog(ERROR, "no gate for a plan node");
    MoveToFront(gate);
    TupleTableSlot* const slot = gate->fetch(node);
    if (!TupIsNull(slot))
        EnsureContext();
    return slot;
}

void PutGate(PlanState* node, MemoryContext memory) {
    // A query that a rule has added is at the root, and among those of WITH too.
    if (node->ExecProcNodeReal == PassGate)
        return;
    Gate* const gate = static_cast<Gate*>(MemoryContextAllocZero(memory, sizeof(Gate)));
    gate->node = node;
    gate->fetch = node->ExecProcNodeReal;
    Link(gate);
    gate->callback.func = Unlink;
    gate->callback.arg = gate;
    MemoryContextRegisterResetCallback(memory, &gate->callback);
    node->ExecProcNodeReal = PassGate;
}

// As RelationIsLogicallyLogged, of a server that decodes.
bool IsDecoded(Relation relation) {
    const char kind = relation->rd_rel->relkind;
    return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
           RelationNeedsWAL(relation) && !IsCatalogRelation(relation);
}

bool WritesDecodedTable(const ModifyTableState* modify) {
    for (int i = 0; i < modify->mt_nrels; i++) {
        if (IsDecoded(modify->resultRelInfo[i].ri_RelationDesc))
            return true;
    }
    return false;
}

// Also below what an extension has put around a ModifyTable.
bool GuardNode(PlanState* node, void* memory) {
    if (!IsA(node, ModifyTableState))
        return VisitPlanChildren(node, GuardNode, memory);
    if (WritesDecodedTable(castNode(ModifyTableState, node)))
        PutGate(outerPlanState(node), static_cast<MemoryContext>(memory));
    return false;
}

}  // namespace

void GuardRows(QueryDesc* query) {
    PutGate(query->planstate, query->estate->es_query_cxt);
}

void GuardPlan(QueryDesc* query) {
    EState* const estate = query->estate;
    if (query->operation != CMD_SELECT)
        GuardNode(query->planstate, estate->es_query_cxt);
    // Those in WITH.
    ListCell* cell;
    foreach (cell, estate->es_auxmodifytables)
        GuardNode(static_cast<PlanState*>(lfirst(cell)), estate->es_query_cxt);
}

}  // namespace bemi
