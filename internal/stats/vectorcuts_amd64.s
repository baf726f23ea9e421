#include "textflag.h"

// Eight values are in Y11 and Y12. A comparison sets all bits of a lane where it holds,
// which is -1: what is subtracted is what is counted. $0x1D is "greater or equal, false and
// quiet for NaN"; $0x03 is "one of the two is NaN".
#define COMPARE(offset, count) \
	VMOVUPD offset(DX), Y15            \
	VCMPPD $0x1D, Y15, Y11, Y13        \
	VCMPPD $0x1D, Y15, Y12, Y14        \
	VPADDQ Y13, Y14, Y13               \
	VPSUBQ Y13, count, count

// The sum of the lanes of a counter is added to counts.
#define COLLECT(offset, count, low) \
	VEXTRACTI128 $1, count, X13   \
	VPADDQ       X13, low, X13    \
	VPSRLDQ      $8, X13, X14     \
	VPADDQ       X14, X13, X13    \
	VMOVQ        X13, AX          \
	ADDQ         AX, offset(DI)

// func countNotBelow(values *float64, n int, cuts *vectorGroup, counts *[vectorGroupCuts]int64) (nan bool)
TEXT ·countNotBelow(SB), NOSPLIT, $0-33
	MOVQ  values+0(FP), SI
	MOVQ  n+8(FP), CX
	MOVQ  cuts+16(FP), DX
	MOVQ  counts+24(FP), DI
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	VPXOR Y8, Y8, Y8
	VPXOR Y10, Y10, Y10

loop:
	VMOVUPD (SI), Y11
	VMOVUPD 32(SI), Y12
	VCMPPD  $0x03, Y11, Y12, Y13
	VPOR    Y13, Y10, Y10
	COMPARE(0, Y0)
	COMPARE(32, Y1)
	COMPARE(64, Y2)
	COMPARE(96, Y3)
	COMPARE(128, Y4)
	COMPARE(160, Y5)
	COMPARE(192, Y6)
	COMPARE(224, Y7)
	COMPARE(256, Y8)
	ADDQ    $64, SI
	SUBQ    $8, CX
	JNZ     loop

	COLLECT(0, Y0, X0)
	COLLECT(8, Y1, X1)
	COLLECT(16, Y2, X2)
	COLLECT(24, Y3, X3)
	COLLECT(32, Y4, X4)
	COLLECT(40, Y5, X5)
	COLLECT(48, Y6, X6)
	COLLECT(56, Y7, X7)
	COLLECT(64, Y8, X8)
	VMOVMSKPD Y10, AX
	TESTL     AX, AX
	SETNE     nan+32(FP)
	VZEROUPPER
	RET
