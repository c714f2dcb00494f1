from deployment.cli import main

main()
