// Package oda is the arithmetic of offline data authentication with RSA: the keys of certification authorities as files have
// them, issuer and ICC public key certificates, and signed static and dynamic application data, each recovered and
// checked. It talks to no card, sets no bit of the TVR and does not choose a method: that is the kernel's
// (emv/contact), which also says what day it is and which certificates are revoked. XDA and elliptic curves are not here.
//
// Sources: EMV 4.4 Book 2, 5 (SDA), 6 (DDA, CDA), 7.1 (PIN encipherment key), 11.2 (keys of authorities), Annexes A2.1 and B.
package oda
