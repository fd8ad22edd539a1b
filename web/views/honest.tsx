import { LockIcon } from './icons.js'

/** What the server can see and what it cannot, in one sentence. */
export const Honest = ({ children }: { readonly children: string }) => <p class='honest'><LockIcon /><span>{children}</span></p>
