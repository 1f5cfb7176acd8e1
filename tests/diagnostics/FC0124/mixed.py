from metaflow import FlowSpec, step


class DeepFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.s1, self.t1)

    @step
    def t1(self):
        self.next(self.j1)

    @step
    def s1(self):
        self.next(self.s2, foreach="items")

    @step
    def s2(self):
        self.next(self.s3, self.t3)

    @step
    def t3(self):
        self.next(self.j3)

    @step
    def s3(self):
        self.next(self.s4, foreach="items")

    @step
    def s4(self):
        self.next(self.s5, self.t5)

    @step
    def t5(self):
        self.next(self.j5)

    @step
    def s5(self):
        self.next(self.s6, foreach="items")

    @step
    def s6(self):
        self.next(self.s7, self.t7)

    @step
    def t7(self):
        self.next(self.j7)

    @step
    def s7(self):
        self.next(self.s8, foreach="items")

    @step
    def s8(self):
        self.next(self.s9, self.t9)

    @step
    def t9(self):
        self.next(self.j9)

    @step
    def s9(self):
        self.next(self.s10, foreach="items")

    @step
    def s10(self):
        self.next(self.s11, self.t11)

    @step
    def t11(self):
        self.next(self.j11)

    @step
    def s11(self):
        self.next(self.s12, foreach="items")

    @step
    def s12(self):
        self.next(self.s13, self.t13)

    @step
    def t13(self):
        self.next(self.j13)

    @step
    def s13(self):
        self.next(self.s14, foreach="items")

    @step
    def s14(self):
        self.next(self.s15, self.t15)

    @step
    def t15(self):
        self.next(self.j15)

    @step
    def s15(self):
        self.next(self.s16, foreach="items")

    @step
    def s16(self):
        self.next(self.s17, self.t17)

    @step
    def t17(self):
        self.next(self.j17)

    @step
    def s17(self):
        self.next(self.s18, foreach="items")

    @step
    def s18(self):
        self.next(self.s19, self.t19)

    @step
    def t19(self):
        self.next(self.j19)

    @step
    def s19(self):
        self.next(self.s20, foreach="items")

    @step
    def s20(self):
        self.next(self.s21, self.t21)

    @step
    def t21(self):
        self.next(self.j21)

    @step
    def s21(self):
        self.next(self.s22, foreach="items")

    @step
    def s22(self):
        self.next(self.s23, self.t23)

    @step
    def t23(self):
        self.next(self.j23)

    @step
    def s23(self):
        self.next(self.s24, foreach="items")

    @step
    def s24(self):
        self.next(self.s25, self.t25)

    @step
    def t25(self):
        self.next(self.j25)

    @step
    def s25(self):
        self.next(self.s26, foreach="items")

    @step
    def s26(self):
        self.next(self.s27, self.t27)

    @step
    def t27(self):
        self.next(self.j27)

    @step
    def s27(self):
        self.next(self.s28, foreach="items")

    @step
    def s28(self):
        self.next(self.s29, self.t29)

    @step
    def t29(self):
        self.next(self.j29)

    @step
    def s29(self):
        self.next(self.s30, foreach="items")

    @step
    def s30(self):
        self.next(self.s31, self.t31)
#       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ FC0124 split number 31 around one step

    @step
    def t31(self):
        self.next(self.j31)

    @step
    def s31(self):
        self.next(self.j31)

    @step
    def j31(self, inputs):
        self.next(self.j30)

    @step
    def j30(self, inputs):
        self.next(self.j29)

    @step
    def j29(self, inputs):
        self.next(self.j28)

    @step
    def j28(self, inputs):
        self.next(self.j27)

    @step
    def j27(self, inputs):
        self.next(self.j26)

    @step
    def j26(self, inputs):
        self.next(self.j25)

    @step
    def j25(self, inputs):
        self.next(self.j24)

    @step
    def j24(self, inputs):
        self.next(self.j23)

    @step
    def j23(self, inputs):
        self.next(self.j22)

    @step
    def j22(self, inputs):
        self.next(self.j21)

    @step
    def j21(self, inputs):
        self.next(self.j20)

    @step
    def j20(self, inputs):
        self.next(self.j19)

    @step
    def j19(self, inputs):
        self.next(self.j18)

    @step
    def j18(self, inputs):
        self.next(self.j17)

    @step
    def j17(self, inputs):
        self.next(self.j16)

    @step
    def j16(self, inputs):
        self.next(self.j15)

    @step
    def j15(self, inputs):
        self.next(self.j14)

    @step
    def j14(self, inputs):
        self.next(self.j13)

    @step
    def j13(self, inputs):
        self.next(self.j12)

    @step
    def j12(self, inputs):
        self.next(self.j11)

    @step
    def j11(self, inputs):
        self.next(self.j10)

    @step
    def j10(self, inputs):
        self.next(self.j9)

    @step
    def j9(self, inputs):
        self.next(self.j8)

    @step
    def j8(self, inputs):
        self.next(self.j7)

    @step
    def j7(self, inputs):
        self.next(self.j6)

    @step
    def j6(self, inputs):
        self.next(self.j5)

    @step
    def j5(self, inputs):
        self.next(self.j4)

    @step
    def j4(self, inputs):
        self.next(self.j3)

    @step
    def j3(self, inputs):
        self.next(self.j2)

    @step
    def j2(self, inputs):
        self.next(self.j1)

    @step
    def j1(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    DeepFlow()
