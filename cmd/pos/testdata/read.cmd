$ pos status
? 0
Terminal  TILL0001, TILLWAY TEST SHOP, KWD (kuwait), release test
Does      sale, pre-authorisation
CA keys   12, test
Kernel    contact 1.0.0, checksum 0123456789abcdef
State     Ready
Reader    NOT OK: , 
Host      NOT OK: , 
Queue     empty
Last      sale 1042, KWD 10.525, REVERSED: It is Reversed.
WARNING   roles are OPEN: anybody at this terminal sells without logging in (development only)
$ pos report kernel
? 0
            TILLWAY TEST SHOP
             Salmiya, Kuwait
MERCHANT                   KW0000000000001
TERMINAL                          TILL0001
------------------------------------------
                EMV KERNEL
DATE                            2000-01-01
TIME                              00:00:00
RELEASE                               test
KERNEL                             CONTACT
VERSION                              1.0.0
------------------------------------------
            CHECKSUM (SHA-256)
           0123 4567 89ab cdef
           0123 4567 89ab cdef
           0123 4567 89ab cdef
           0123 4567 89ab cdef
------------------------------------------
$ pos report kernel --format html --width 1
? 2
! pos: width 1: 24 to 96 columns
$ pos report kernel --json --format text
? 2
! {"error":"--json and --format text do not go together","exit":2}
$ pos report
? 0
Print a report of the terminal

Usage:
  pos report [flags]
  pos report [command]

Available Commands:
  kernel      Print version and checksum of the card kernel, as a receipt of its own
  x           Print what the open batch holds
  z           Print what a settled batch held

Flags:
  -h, --help   help for report

Global Flags:
      --json            print one JSON object, for programs
      --socket string   path of the daemon's socket

Use "pos report [command] --help" for more information about a command.
$ pos show 1042
? 0
Sale        1042
Kind        sale
State       REVERSED
Amount      KWD 10.525
Happened    It is Reversed.
Do          Go on.
Started     2026-11-23 09:15:07
Card        VISA CREDIT 476173******0119
AID         A0000000031010
Entry       chip
Verified    no cvm
Response    00
Auth code   A12345
STAN        000042
Invoice     000043
Batch       000007
Acquirer    nac
Reversal    Acknowledged since 2026-11-23 09:15:07
$ pos show 1
? 2
! pos: sale 1: no such sale. Look the number up in the journal, or on the receipt.
$ pos show x
? 2
! pos: "x" is no sale number: it is the number the receipt calls SALE, like 1042
$ pos show
? 2
! pos: pos show takes ID, and was given 0 (pos show --help shows how)
$ pos why 1042
? 0
Sale 1042 is REVERSED
It is Reversed. Go on.

Stands       reversed: It was taken back: it is Reversed. The bank has confirmed the reversal.
Customer     Nothing was charged. If your bank shows the amount as held, the reversal releases it.

Amount       KWD 10.525
Asked        2026-11-23 09:15:07
Ended        2026-11-23 09:15:07, after 0s
Card         VISA CREDIT 476173******0119, chip

The host answered 00
Meaning      The bank approved.
Numbers      STAN 000042, invoice 000043, approval A12345
Message      09:15:07.000  from terminal 0200, STAN 000042, 180 bytes
Owed         reversal discharged
Owed         reversal acknowledged (debt 3)
Receipts     customer and merchant copy: pos receipt 1042

Steps
  09:15:07.000  sale GoOnline CardTalk to Sending +R
  09:15:07.000  sale CardAgrees FinishApproved to Reversed -R
  09:15:07.000  debt (reversal) Accepted to Acknowledged

Application  A0000000031010 VISA CREDIT
Data auth.   none
Verified     no cvm
Cryptogram   TC 8CC495A66CACA38E
Response     00
TVR          8000008040
  byte 1 bit 8  Offline data authentication was not performed: card and terminal have no method in common (Book 3, 10.3)
  byte 4 bit 8  Transaction exceeds floor limit: 10525 is at or over 0 (Book 3, 10.6.1)
  byte 5 bit 7  Issuer authentication failed: no reason was kept
TSI          7800
  byte 1 bit 7  Cardholder verification was performed (Book 3, 10.5)
  byte 1 bit 6  Card risk management was performed (Book 3, 10.8)
  byte 1 bit 5  Issuer authentication was performed (Book 3, 10.9)
  byte 1 bit 4  Terminal risk management was performed (Book 3, 10.6)
CVM Results  1F0002
  Method: No CVM required
  Condition: always
  Result: successful

Reasons, step by step
  Offline Data Authentication
    TVR byte 1 bit 8   Offline data authentication was not performed: card and terminal have no method in common (Book 3, 10.3)
  Cardholder Verification
    9F34               1F0002: no CVM required (Book 4, 6.3.4.5)
    TSI byte 1 bit 7   Cardholder verification was performed (Book 3, 10.5)
  Terminal Risk Management
    TVR byte 4 bit 8   Transaction exceeds floor limit: 10525 is at or over 0 (Book 3, 10.6.1)
    TSI byte 1 bit 4   Terminal risk management was performed (Book 3, 10.6)
  Terminal Action Analysis
    TAA                asks for ARQC: the terminal approves nothing by itself (Book 3, 10.7)
  Card Action Analysis
    outcome            the card gave an  [2JARQC (Book 3, 10.9)
    TSI byte 1 bit 6   Card risk management was performed (Book 3, 10.8)
  Issuer Authentication
    TSI byte 1 bit 5   Issuer authentication was performed (Book 3, 10.9)
$ pos why --json 1042
? 0
{"sale":1042,"kind":"sale","state":"Reversed","outcome":{"code":"of the test","happened":"It is Reversed.","do":"Go on.","may_retry":false},"rc":"00","meaning":"The bank approved.","story":{"standing":"reversed","now":"It was taken back: it is Reversed. The bank has confirmed the reversal.","tell":"Nothing was charged. If your bank shows the amount as held, the reversal releases it."},"amount":{"minor":10525,"currency":"KWD"},"started":"2026-11-23T09:15:07+03:00","ended":"2026-11-23T09:15:07+03:00","card":"476173******0119","entry":"chip","stan":42,"invoice":43,"auth":"A12345","messages":[{"time":"2026-11-23T09:15:07+03:00","from":"terminal","mti":"0200","stan":42,"bytes":180}],"debts":[{"id":0,"sale":1042,"acquirer":"","kind":"reversal","stan":0,"state":"Discharged","since":"2026-11-23T09:15:07+03:00","attempts":0},{"id":3,"sale":1042,"acquirer":"","kind":"reversal","stan":0,"state":"Acknowledged","attempts":0}],"receipts":["customer","merchant"],"aid":"A0000000031010","label":"VISA CREDIT","cvm":"no cvm","oda":{"method":"none","ok":false},"tags":{"8A":"3030","95":"8000008040","9B":"7800","9F26":"8CC495A66CACA38E","9F27":"40","9F34":"1F0002"},"steps":[{"seq":11,"time":"2026-11-23T09:15:07+03:00","kind":"sale","from":"CardTalk","event":"GoOnline","to":"Sending","duties":["+R"]},{"seq":12,"time":"2026-11-23T09:15:07+03:00","kind":"sale","from":"FinishApproved","event":"CardAgrees","to":"Reversed","duties":["-R"]},{"seq":13,"time":"2026-11-23T09:15:07+03:00","kind":"debt","event":"Accepted","to":"Acknowledged","debt":"reversal"}],"why":[{"bit":"TVR byte 1 bit 8","reason":"Offline data authentication was not performed: card and terminal have no method in common","section":"Book 3, 10.3","step":"Offline Data Authentication"},{"bit":"9F34","reason":"1F0002: no CVM required","section":"Book 4, 6.3.4.5","step":"Cardholder Verification"},{"bit":"TSI byte 1 bit 7","reason":"Cardholder verification was performed","section":"Book 3, 10.5","step":"Cardholder Verification"},{"bit":"TVR byte 4 bit 8","reason":"Transaction exceeds floor limit: 10525 is at or over 0","section":"Book 3, 10.6.1","step":"Terminal Risk Management"},{"bit":"TSI byte 1 bit 4","reason":"Terminal risk management was performed","section":"Book 3, 10.6","step":"Terminal Risk Management"},{"bit":"TAA","reason":"asks for ARQC: the terminal approves nothing by itself","section":"Book 3, 10.7","step":"Terminal Action Analysis"},{"bit":"outcome","reason":"the card gave an \u001b[2JARQC","section":"Book 3, 10.9","step":"Card Action Analysis"},{"bit":"TSI byte 1 bit 6","reason":"Card risk management was performed","section":"Book 3, 10.8","step":"Card Action Analysis"},{"bit":"TSI byte 1 bit 5","reason":"Issuer authentication was performed","section":"Book 3, 10.9","step":"Issuer Authentication"}]}
$ pos transcript 1042
? 0
{"interface": "contact"}
$ pos transcript 7
? 2
! pos: sale 7: no such sale. Look the number up in the journal, or on the receipt.
$ pos transcript x
? 2
! pos: "x" is no sale number: it is the number the receipt calls SALE, like 1042
$ pos journal
? 0
    10  2026-11-23 09:15:07          start (release test)
    11  2026-11-23 09:15:07    1042  sale GoOnline CardTalk to Sending +R
    12  2026-11-23 09:15:07    1042  sale CardAgrees FinishApproved to Reversed -R
    13  2026-11-23 09:15:07    1042  debt (reversal) Accepted to Acknowledged
$ pos journal --after 10 --limit 1
? 0
    11  2026-11-23 09:15:07    1042  sale GoOnline CardTalk to Sending +R
$ pos journal --json --after 11
? 0
{"rows":[{"seq":12,"time":"2026-11-23T09:15:07+03:00","kind":"sale","sale":1042,"from":"FinishApproved","event":"CardAgrees","to":"Reversed","duties":["-R"]},{"seq":13,"time":"2026-11-23T09:15:07+03:00","kind":"debt","sale":1042,"event":"Accepted","to":"Acknowledged","debt":{"id":3,"sale":1042,"acquirer":"","kind":"reversal","stan":0,"state":"","attempts":0}}],"next":13}
$ pos journal --limit 0
? 2
! pos: limit 0: 1 to 1000 rows
$ pos journal --after -5
? 2
! pos: after -5: a row's number, or 0 for the first rows
$ pos queue
? 0
1 waiting, 0 parked, the oldest since 2026-11-23 09:15:07 (less than a minute)
     3  reversal of sale 1042, KWD 10.525, STAN 000042, since 2026-11-23 09:15:07, Owed, sent 2 times
        No connection to the bank.
$ pos queue list --json
? 0
{"waiting":1,"parked":0,"sum":{"minor":0,"currency":"KWD"},"oldest":"2026-11-23T09:15:07+03:00","debts":[{"id":3,"sale":1042,"acquirer":"nac","kind":"reversal","stan":42,"state":"Owed","since":"2026-11-23T09:15:07+03:00","attempts":2,"reason":"no answer","sale_kind":"sale","amount":{"minor":10525,"currency":"KWD"},"pan":"476173******0119","waits":"No connection to the bank."}]}
$ pos queue send
? 0
Nothing waits.
$ pos queue retry 5
? 0
Debt 5, the reversal of sale 1042, goes to the bank again; pos queue list shows what is left.
$ pos queue retry 5 --json
? 0
{"id":5,"sale":1042,"acquirer":"nac","kind":"reversal","stan":42,"state":"Owed","attempts":2,"reason":"somebody who has not logged in"}
$ pos queue retry 3
? 2
! pos: debt 3: it is not parked. The terminal sends it by itself; pos queue send makes it try now.
$ pos queue retry 9
? 2
! pos: debt 9: no debt of that number waits or is parked. Look its number up with pos queue. One that is settled is in the journal of its sale: pos why.
$ pos queue retry x
? 2
! pos: "x" is no number of a debt: it is the first one in each line of pos queue
$ pos queue retry
? 2
! pos: pos queue retry takes ID, and was given 0 (pos queue retry --help shows how)
$ pos queue write-off 5
? 2
! pos: --note says in one line of 1 to 200 characters how the money is put right: it stays in the journal
$ pos queue write-off 5 --note 'x'
? 2
! pos: --note says in one line of 1 to 200 characters how the money is put right: it stays in the journal
$ pos queue empty
? 2
! pos: "empty" is no command of pos queue: pos queue --help shows what there is
$ pos cancel
? 0
Cancel asked for; the outcome is the sale's: pos show 1042
$ pos receipt 1042
? 0
            TILLWAY TEST SHOP
             Salmiya, Kuwait
MERCHANT                   KW0000000000001
TERMINAL                          TILL0001
------------------------------------------
            *** DUPLICATE ***
------------------------------------------
SALE                                  1042
DATE                            2026-11-23
TIME                              09:15:07

AMOUNT ASKED FOR                KWD 10.525
==========================================
                 REVERSED
               NOT CHARGED
==========================================
It is Reversed.
If your bank shows the amount as held, the
reversal releases it.
------------------------------------------
CARD                           VISA CREDIT
NUMBER                    ************0119
AID                         A0000000031010
ENTRY                                 CHIP
        NO CARDHOLDER VERIFICATION
AUTH CODE                           A12345
RESPONSE                                00
STAN                                000042
INVOICE                             000043
BATCH                               000007
------------------------------------------
              CUSTOMER COPY
         Please keep this receipt
$ pos receipt 1042 --copy merchant --width 32
? 0
       TILLWAY TEST SHOP
        Salmiya, Kuwait
MERCHANT         KW0000000000001
TERMINAL                TILL0001
--------------------------------
       *** DUPLICATE ***
--------------------------------
SALE                        1042
DATE                  2026-11-23
TIME                    09:15:07

AMOUNT ASKED FOR      KWD 10.525
================================
            REVERSED
          NOT CHARGED
================================
It is Reversed.
Go on.
--------------------------------
CARD                 VISA CREDIT
NUMBER          ************0119
AID               A0000000031010
ENTRY                       CHIP
   NO CARDHOLDER VERIFICATION
AUTH CODE                 A12345
RESPONSE                      00
STAN                      000042
INVOICE                   000043
BATCH                     000007
--------------------------------
AC              8CC495A66CACA38E
CID                        40 TC
TVR                   8000008040
TSI                         7800
CVM RESULTS               1F0002
ARC                           00
--------------------------------
         MERCHANT COPY
$ pos receipt 1042 --format pdf
? 2
! pos: format "pdf": this build draws text, html, png and json
$ pos receipt 1042 --lang fr
? 2
! pos: "fr" is no language of receipts: there are en, ar and both
$ pos receipt 1042 --format png --dots 5
? 2
! pos: dots 5: 384 to 576
$ pos receipt 1042 --copy bank
? 2
! pos: "bank" is no copy: there are customer and merchant
$ pos receipt 1042 --width 3
? 2
! pos: width 3: 24 to 96 columns
$ pos receipt 1042 --json --format text
? 2
! {"error":"--json and --format text do not go together","exit":2}
$ pos receipt 1042 --json
? 0
{"copy":"customer","duplicate":true,"merchant":{"name":"TILLWAY TEST SHOP","location":["Salmiya, Kuwait"]},"mid":"KW0000000000001","tid":"TILL0001","sale":1042,"kind":"sale","type":"SALE","time":"2026-11-23T09:15:07+03:00","amount":{"minor":10525,"currency":"KWD"},"verdict":"REVERSED","done":false,"charged":false,"statement":"NOT CHARGED","code":"of the test","reason":"It is Reversed.","advice":"If your bank shows the amount as held, the reversal releases it.","card":{"label":"VISA CREDIT","pan":"************0119","aid":"A0000000031010","entry":"CHIP","verification":"NO CARDHOLDER VERIFICATION","sign":false},"rc":"00","auth":"A12345","stan":"000042","invoice":"000043","batch":"000007","chip":[{"name":"AC","tag":"9F26","value":"8CC495A66CACA38E"},{"name":"CID","tag":"9F27","value":"40 TC"},{"name":"TVR","tag":"95","value":"8000008040"},{"name":"TSI","tag":"9B","value":"7800"},{"name":"CVM RESULTS","tag":"9F34","value":"1F0002"},{"name":"ARC","tag":"8A","value":"00"}],"lines":[{"layout":"big","text":"TILLWAY TEST SHOP"},{"layout":"centre","text":"Salmiya, Kuwait"},{"layout":"pair","label":"MERCHANT","text":"KW0000000000001","label_ar":"رقم التاجر"},{"layout":"pair","label":"TERMINAL","text":"TILL0001","label_ar":"رقم الجهاز"},{"layout":"rule"},{"layout":"big","text":"*** DUPLICATE ***","text_ar":"*** نسخة مكررة ***"},{"layout":"rule"},{"layout":"pair","label":"SALE","text":"1042","label_ar":"شراء"},{"layout":"pair","label":"DATE","text":"2026-11-23","label_ar":"التاريخ"},{"layout":"pair","label":"TIME","text":"09:15:07","label_ar":"الوقت"},{"layout":"gap"},{"layout":"pair","strong":true,"label":"AMOUNT ASKED FOR","text":"KWD 10.525","label_ar":"المبلغ المطلوب","text_ar":"10.525 د.ك."},{"layout":"bar"},{"layout":"big","text":"REVERSED","text_ar":"عُكست العملية"},{"layout":"big","text":"NOT CHARGED","text_ar":"لم يُخصم أي مبلغ"},{"layout":"bar"},{"layout":"words","text":"It is Reversed."},{"layout":"words","text":"If your bank shows the amount as held, the reversal releases it.","text_ar":"إذا أظهر البنك المبلغ محجوزاً فإن عكس العملية يحرره."},{"layout":"rule"},{"layout":"pair","label":"CARD","text":"VISA CREDIT","label_ar":"البطاقة"},{"layout":"pair","label":"NUMBER","text":"************0119","label_ar":"رقم البطاقة"},{"layout":"pair","label":"AID","text":"A0000000031010","label_ar":"معرّف التطبيق"},{"layout":"pair","label":"ENTRY","text":"CHIP","label_ar":"قراءة البطاقة","text_ar":"شريحة"},{"layout":"centre","text":"NO CARDHOLDER VERIFICATION","text_ar":"دون تحقق من حامل البطاقة"},{"layout":"pair","label":"AUTH CODE","text":"A12345","label_ar":"رمز الموافقة"},{"layout":"pair","label":"RESPONSE","text":"00","label_ar":"رمز الرد"},{"layout":"pair","label":"STAN","text":"000042","label_ar":"رقم التتبع"},{"layout":"pair","label":"INVOICE","text":"000043","label_ar":"رقم الفاتورة"},{"layout":"pair","label":"BATCH","text":"000007","label_ar":"رقم الدفعة"},{"layout":"rule"},{"layout":"big","text":"CUSTOMER COPY","text_ar":"نسخة العميل"},{"layout":"centre","text":"Please keep this receipt","text_ar":"يرجى الاحتفاظ بالإيصال"}]}
$ pos refnud 1.000
? 2
! pos: "refnud" is no command of pos: did you mean refund? pos --help shows what there is
$ pos sale
? 2
! pos: pos sale takes AMOUNT, and was given 0 (pos sale --help shows how)
$ pos sale 1 2
? 2
! pos: pos sale takes AMOUNT, and was given 2 (pos sale --help shows how)
$ pos --nonsense
? 2
! pos: unknown flag: --nonsense (pos --help shows what there is)
$ pos show 1 --json
? 2
! {"error":"sale 1: no such sale","code":"no_such_sale","do":"Look the number up in the journal, or on the receipt.","exit":2}
$ pos bundle 1042
? 0
{"sale":{"v":1,"id":1042,"kind":"sale","state":"Reversed","acquirer":"nac","batch":7,"amount":{"minor":10525,"currency":"KWD"},"started":"2026-11-23T09:15:07+03:00","updated":"2026-11-23T09:15:07+03:00","tid":"TILL0001","mid":"KW0000000000001","stan":42,"invoice":43,"local_time":"2026-11-23T09:15:07+03:00","pan":"476173******0119","label":"VISA CREDIT","aid":"A0000000031010","entry":"chip","cvm":"no cvm","oda":{"method":"none","ok":false},"tags":{"8A":"3030","95":"8000008040","9B":"7800","9F26":"8CC495A66CACA38E","9F27":"40","9F34":"1F0002"},"why":[{"bit":"TVR byte 1 bit 8","reason":"Offline data authentication was not performed: card and terminal have no method in common","section":"Book 3, 10.3","step":"Offline Data Authentication"},{"bit":"9F34","reason":"1F0002: no CVM required","section":"Book 4, 6.3.4.5","step":"Cardholder Verification"},{"bit":"TSI byte 1 bit 7","reason":"Cardholder verification was performed","section":"Book 3, 10.5","step":"Cardholder Verification"},{"bit":"TVR byte 4 bit 8","reason":"Transaction exceeds floor limit: 10525 is at or over 0","section":"Book 3, 10.6.1","step":"Terminal Risk Management"},{"bit":"TSI byte 1 bit 4","reason":"Terminal risk management was performed","section":"Book 3, 10.6","step":"Terminal Risk Management"},{"bit":"TAA","reason":"asks for ARQC: the terminal approves nothing by itself","section":"Book 3, 10.7","step":"Terminal Action Analysis"},{"bit":"outcome","reason":"the card gave an \u001b[2JARQC","section":"Book 3, 10.9","step":"Card Action Analysis"},{"bit":"TSI byte 1 bit 6","reason":"Card risk management was performed","section":"Book 3, 10.8","step":"Card Action Analysis"},{"bit":"TSI byte 1 bit 5","reason":"Issuer authentication was performed","section":"Book 3, 10.9","step":"Issuer Authentication"}],"rc":"00","auth":"A12345","outcome":{"code":"of the test","happened":"It is Reversed.","do":"Go on.","may_retry":false}},"why":{"sale":1042,"kind":"sale","state":"Reversed","outcome":{"code":"of the test","happened":"It is Reversed.","do":"Go on.","may_retry":false},"rc":"00","meaning":"The bank approved.","story":{"standing":"reversed","now":"It was taken back: it is Reversed. The bank has confirmed the reversal.","tell":"Nothing was charged. If your bank shows the amount as held, the reversal releases it."},"amount":{"minor":10525,"currency":"KWD"},"started":"2026-11-23T09:15:07+03:00","ended":"2026-11-23T09:15:07+03:00","card":"476173******0119","entry":"chip","stan":42,"invoice":43,"auth":"A12345","messages":[{"time":"2026-11-23T09:15:07+03:00","from":"terminal","mti":"0200","stan":42,"bytes":180}],"debts":[{"id":0,"sale":1042,"acquirer":"","kind":"reversal","stan":0,"state":"Discharged","since":"2026-11-23T09:15:07+03:00","attempts":0},{"id":3,"sale":1042,"acquirer":"","kind":"reversal","stan":0,"state":"Acknowledged","attempts":0}],"receipts":["customer","merchant"],"aid":"A0000000031010","label":"VISA CREDIT","cvm":"no cvm","oda":{"method":"none","ok":false},"tags":{"8A":"3030","95":"8000008040","9B":"7800","9F26":"8CC495A66CACA38E","9F27":"40","9F34":"1F0002"},"steps":[{"seq":11,"time":"2026-11-23T09:15:07+03:00","kind":"sale","from":"CardTalk","event":"GoOnline","to":"Sending","duties":["+R"]},{"seq":12,"time":"2026-11-23T09:15:07+03:00","kind":"sale","from":"FinishApproved","event":"CardAgrees","to":"Reversed","duties":["-R"]},{"seq":13,"time":"2026-11-23T09:15:07+03:00","kind":"debt","event":"Accepted","to":"Acknowledged","debt":"reversal"}],"why":[{"bit":"TVR byte 1 bit 8","reason":"Offline data authentication was not performed: card and terminal have no method in common","section":"Book 3, 10.3","step":"Offline Data Authentication"},{"bit":"9F34","reason":"1F0002: no CVM required","section":"Book 4, 6.3.4.5","step":"Cardholder Verification"},{"bit":"TSI byte 1 bit 7","reason":"Cardholder verification was performed","section":"Book 3, 10.5","step":"Cardholder Verification"},{"bit":"TVR byte 4 bit 8","reason":"Transaction exceeds floor limit: 10525 is at or over 0","section":"Book 3, 10.6.1","step":"Terminal Risk Management"},{"bit":"TSI byte 1 bit 4","reason":"Terminal risk management was performed","section":"Book 3, 10.6","step":"Terminal Risk Management"},{"bit":"TAA","reason":"asks for ARQC: the terminal approves nothing by itself","section":"Book 3, 10.7","step":"Terminal Action Analysis"},{"bit":"outcome","reason":"the card gave an \u001b[2JARQC","section":"Book 3, 10.9","step":"Card Action Analysis"},{"bit":"TSI byte 1 bit 6","reason":"Card risk management was performed","section":"Book 3, 10.8","step":"Card Action Analysis"},{"bit":"TSI byte 1 bit 5","reason":"Issuer authentication was performed","section":"Book 3, 10.9","step":"Issuer Authentication"}]},"messages":[{"time":"2026-11-23T09:15:07+03:00","from":"terminal","mti":"0200","stan":42,"bytes":180,"fields":{"2":"476173******0119"}}],"transcript":{"interface":"contact"},"receipts":{"customer":"            TILLWAY TEST SHOP\n             Salmiya, Kuwait\nMERCHANT                   KW0000000000001\nTERMINAL                          TILL0001\n------------------------------------------\nSALE                                  1042\nDATE                            2026-11-23\nTIME                              09:15:07\n\nAMOUNT ASKED FOR                KWD 10.525\n==========================================\n                 REVERSED\n               NOT CHARGED\n==========================================\nIt is Reversed.\nIf your bank shows the amount as held, the\nreversal releases it.\n------------------------------------------\nCARD                           VISA CREDIT\nNUMBER                    ************0119\nAID                         A0000000031010\nENTRY                                 CHIP\n        NO CARDHOLDER VERIFICATION\nAUTH CODE                           A12345\nRESPONSE                                00\nSTAN                                000042\nINVOICE                             000043\nBATCH                               000007\n------------------------------------------\n              CUSTOMER COPY\n         Please keep this receipt\n","merchant":"            TILLWAY TEST SHOP\n             Salmiya, Kuwait\nMERCHANT                   KW0000000000001\nTERMINAL                          TILL0001\n------------------------------------------\nSALE                                  1042\nDATE                            2026-11-23\nTIME                              09:15:07\n\nAMOUNT ASKED FOR                KWD 10.525\n==========================================\n                 REVERSED\n               NOT CHARGED\n==========================================\nIt is Reversed.\nGo on.\n------------------------------------------\nCARD                           VISA CREDIT\nNUMBER                    ************0119\nAID                         A0000000031010\nENTRY                                 CHIP\n        NO CARDHOLDER VERIFICATION\nAUTH CODE                           A12345\nRESPONSE                                00\nSTAN                                000042\nINVOICE                             000043\nBATCH                               000007\n------------------------------------------\nAC                        8CC495A66CACA38E\nCID                                  40 TC\nTVR                             8000008040\nTSI                                   7800\nCVM RESULTS                         1F0002\nARC                                     00\n------------------------------------------\n              MERCHANT COPY\n"}}
$ pos bundle 7
? 2
! pos: sale 7: no such sale. Look the number up in the journal, or on the receipt.
