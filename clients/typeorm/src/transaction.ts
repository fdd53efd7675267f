// What the server knows of the context in the transaction that a connection is in.
//
// A change gets the nearest context before it in its transaction, and the changes before the first context get
// the first one. So a context goes out when it differs from the last one that is still there, an empty one where
// there is none any more, and another empty one first where changes without any have gone before.

const NO_CONTEXT = '{}'

export class TransactionState {
  /** The last context that was sent in this transaction and not rolled back; undefined where that isn't known. */
  private sent: string | undefined
  private sentInEpoch = 0
  /** Some context was sent in this transaction, perhaps in a savepoint that is gone. */
  private carries = false
  /** A write without a context went before any that had one. */
  private wroteWithout = false
  private epoch = 0
  /** Whether the server was outside of a transaction when it was last ready. */
  isOutside = true

  /**
   * The number of a statement's epoch, to be asked for when it is queued. A statement that may end the transaction or
   * a part of it begins a new one, in which nothing that was sent before counts.
   */
  queue(staysInTransaction: boolean): number {
    return staysInTransaction ? this.epoch : ++this.epoch
  }

  /** The contexts to send before a write, when its turn comes. */
  contextsFor(context: string | undefined, epoch: number): string[] {
    if (epoch !== this.sentInEpoch) this.sent = undefined
    if (context === undefined && !this.carries) {
      this.wroteWithout = true
      return []
    }
    const wanted = context ?? NO_CONTEXT
    if (wanted === this.sent) return []
    const contexts = this.sent === undefined && this.wroteWithout ? [NO_CONTEXT, wanted] : [wanted]
    this.sent = wanted
    this.sentInEpoch = epoch
    this.carries = true
    return contexts
  }

  /** The server is ready, with `I`: no transaction, `T`: in one, `E`: in one that failed. */
  ready(status: string): void {
    this.isOutside = status === 'I'
    if (status === 'T') return
    this.sent = undefined
    if (status === 'E') return
    this.carries = false
    this.wroteWithout = false
  }
}
