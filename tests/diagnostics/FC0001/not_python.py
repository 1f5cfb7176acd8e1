name: train
steps:
#     ^ FC0001 syntax error: expected an expression
  - start
#<- FC0001 syntax error: unexpected indentation
