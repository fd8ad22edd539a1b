/**
 * A button that has served goes away, and the focus that it had with it: whoever uses the keyboard, or listens, would begin at the
 * top of the page again.
 */

interface Focused {
  readonly element: Element
  /** The row of a list that it is in. */
  readonly row: Element | null
  /** Of the view that it is in. */
  readonly heading: Element | null
}

/** Gives a focus that was lost so to the next row's button, or to the heading of the view. */
export function keepFocus (root: HTMLElement): void {
  let last: Focused | undefined
  // Who clicks beside everything wants the focus nowhere.
  document.addEventListener('pointerdown', () => { last = undefined }, { capture: true })
  root.addEventListener('focusin', ({ target }) => {
    if (target instanceof Element) last = { element: target, row: target.closest('.row'), heading: root.querySelector('h1') }
  })
  new MutationObserver(() => {
    if (last === undefined || last.element.isConnected || document.activeElement !== document.body) return
    const heading = root.querySelector('h1')
    // Within a view nothing is to jump.
    const options = { preventScroll: heading === last.heading }
    const next = buttonAfter(last.row) ?? heading
    last = undefined
    next?.focus(options)
  }).observe(root, { childList: true, subtree: true })
}

function buttonAfter (row: Element | null): HTMLElement | null {
  for (let next = row?.nextElementSibling; next != null; next = next.nextElementSibling) {
    const button = next.querySelector('button')
    if (button !== null) return button
  }
  return null
}
